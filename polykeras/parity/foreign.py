def is_foreign(x):
    return False
