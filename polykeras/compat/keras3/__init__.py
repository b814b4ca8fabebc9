"""What packages import from ``keras.src`` of Keras 3: paths of its modules, and names that are not public."""
