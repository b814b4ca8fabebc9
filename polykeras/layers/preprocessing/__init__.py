"""Preprocessing layers for numbers, categories, texts, images and sounds."""
