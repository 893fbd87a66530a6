"""From clips to the ear.

player.py      plays a script into sinks
transport.py   the listener's remote control: pause, seek, speed, stop
stretch.py     speed without a change of pitch
start.py       where a reading begins
forecast.py    how long the book, the chapter and what is left of them will sound
eta.py         how long a file still takes to make
sleep.py       the sleep timer
bookmark.py    where the ear stopped, and the places it marked
"""
