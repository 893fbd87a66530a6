"""`narrate serve`: a page for people, interfaces for programs, and one engine for all of them.

service.py   what all listeners share: engines, takes, places, settings
app.py       the program of web addresses, put together from the modules below
"""
