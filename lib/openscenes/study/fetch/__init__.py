"""``make data``: the official data sets, fetched, unpacked and counted."""
