"""`narrate serve`: a page for people, interfaces for programs, and one engine for all of them.

service.py                    what all listeners share: engines, takes, places, settings
app.py asgi.py                the program of web addresses, put together from these modules; the same for others
front.py page/                what a family's browser needs: the page itself, and all that it asks for
documents.py                  texts to choose from: what was sent, and the books of a folder
readings.py                   what is being read to browsers, each a session that follows its listener
hls.py fragments.py           the sound of a reading as browsers play it, while it is made
events.py                     what happens in a reading, told to all who follow it
exports.py                    files of a whole text to take away
reading_routes.py models.py   the addresses of these, and what is sent and got there
speech.py outlet.py           one text becomes sound for one client, which may be slow, or leave
sound.py                      the sound as an answer: bytes while they are made, events, or all at once
tts.py openai.py              what programs ask for: narrate's own way, and OpenAI's
takes.py                      takes for another narrate, which uses this one as its engine
websocket.py                  text comes in while it is written, sound goes out
wyoming.py                    the same for Home Assistant
dictation.py                  a text that a client dictates, and its sound
voices.py                     who can be asked to speak
description.py docs.py        what openapi.json says of every address; all addresses as one page
status.py metrics.py          for machines that watch the server
trace.py                      which request a line of the log is about
access.py limits.py           who may use the server, and how much
caching.py                    what a browser has already is not sent again
patience.py                   a connection that does not say what it wants is closed
tidy.py                       what FFmpeg holds for those who have left is given back
problems.py                   what a program is told when something goes wrong
"""
