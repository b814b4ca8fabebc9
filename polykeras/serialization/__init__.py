"""Objects as configs, and back: names of classes, functions as text, the layout that Keras 3 writes."""
