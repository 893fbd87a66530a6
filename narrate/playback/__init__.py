"""From clips to the ear.

player.py      plays a script into sinks
transport.py   the listener's remote control: pause, seek, speed, stop
stretch.py     speed without a change of pitch
start.py       where a reading begins
bookmark.py    where the ear stopped, and the places it marked
"""
