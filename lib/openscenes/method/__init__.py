"""The paper's method: prototypes (Eq. 1-3), IPT (Eq. 4-6), alignment (Eq. 7-10), evolution."""
