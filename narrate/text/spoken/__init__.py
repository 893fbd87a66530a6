"""What is said for what is seen.

normalize.py     readings, numbers and the listener's dictionary, applied to a document
sayable.py       marks that are not said
dictionary.py    the listener's words and how to say them
"""
