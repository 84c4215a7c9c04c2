"""The prototype explorer: every quantity of IPT, interactive (Sec. 3.2, lessons 2 and 3)."""
