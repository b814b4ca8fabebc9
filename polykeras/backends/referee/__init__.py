"""NumPy in float64, which shows what rounding does on the engines: ``backends.use("referee")``."""
