"""The interaction explorer: how box and click change a mask (Sec. 3.1, lesson 1)."""
