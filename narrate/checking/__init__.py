"""Does a take say what is written, in the voice of the others? What is found out beside the making.

verdict.py    what was found about one take
"""
