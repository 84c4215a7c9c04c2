"""The prototype explorer: every quantity of IPT under the hand (Sec. 3.2, lessons 2 and 3)."""
