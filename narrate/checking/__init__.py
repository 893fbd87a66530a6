"""Does a take say what is written, in the voice of the others? What is found out beside the making.

verdict.py            what was found about one take
measures.py           how a take sounds, in figures
course.py             how the takes of a book have sounded, and what is odd about the next one
drift.py              how loudness, pitch and pace go over the book, for plots; as lines for a terminal
report.py             what was found, as one HTML file (report.css)
report_file.py        a sink that gathers what the report says
recogniser.py         what hears takes, and how one is opened
process.py child.py   a recogniser in a process of its own, and what runs in it
transcriptions.py     a server as the recogniser
examiner.py           what is found out about takes, several at once
"""
