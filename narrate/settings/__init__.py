"""The settings of a reading, in one table: flags, settings files, the environment and a server read the same lines.

option.py kinds.py    what a setting is: its name, what values it has, where it may be set, its line of help
table.py              all settings of a reading, in groups
layers.py values.py   the places where they are set, and what holds in the end
writing.py            a setting that is kept in the user's file
choices.py            values as the options of the rooms below: text, voice, takes
"""
