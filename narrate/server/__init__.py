"""`narrate serve`: a page for people, interfaces for programs, and one engine for all of them.

service.py            what all listeners share: engines, takes, places, settings
app.py asgi.py        the program of web addresses, put together from the modules below; the same for other servers
speech.py outlet.py   one text becomes sound for one client, which may be slow, or leave
sound.py              the sound as an answer: bytes while they are made, events, or all at once
tts.py openai.py      what programs ask for: narrate's own way, and OpenAI's
takes.py              takes for another narrate, which uses this one as its engine
websocket.py          text comes in while it is written, sound goes out
wyoming.py            the same for Home Assistant
dictation.py          a text that a client dictates, and its sound
voices.py             who can be asked to speak
status.py metrics.py  for machines that watch the server
trace.py              which request a line of the log is about
access.py limits.py   who may use the server, and how much
problems.py           what a program is told when something goes wrong
"""
