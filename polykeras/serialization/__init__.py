"""Objects to configs, and back: registered names, functions as text, the layout that Keras 3 writes."""
