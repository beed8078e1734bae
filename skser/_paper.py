"""The figures of the paper as it prints them; none of them is ours.

A. Aftab, A. Morsali, S. Ghaemmaghami, B. Champagne: "LIGHT-SERNET: A lightweight fully
convolutional neural network for speech emotion recognition", ICASSP 2022.
"""

from types import MappingProxyType
from typing import NamedTuple


class Scores(NamedTuple):
    """Scores or their differences, in %; F1 is the weighted one."""

    uar: float | None
    wa: float | None
    f1_weighted: float | None


class Method(NamedTuple):
    """A row of tables 2 to 4."""

    name: str
    megabytes: float
    scores: Scores


class Cost(NamedTuple):
    """The cost of one utterance: section 3.3, "Impact of input length"."""

    mflops: int
    kilobytes: int


# Table 1, by corpus, subset of IEMOCAP, loss and duration in s.
TABLE_1 = MappingProxyType(
    {
        ("emodb", "", "cross_entropy", 3.0): Scores(94.15, 94.21, 94.16),
        ("emodb", "", "focal", 3.0): Scores(92.88, 93.08, 93.05),
        ("iemocap", "improvised", "cross_entropy", 3.0): Scores(68.42, 76.60, 75.44),
        ("iemocap", "improvised", "focal", 3.0): Scores(68.37, 77.41, 76.01),
        ("iemocap", "improvised", "cross_entropy", 7.0): Scores(71.51, 78.73, 77.86),
        ("iemocap", "improvised", "focal", 7.0): Scores(70.78, 79.87, 78.84),
        ("iemocap", "all", "cross_entropy", 3.0): Scores(65.81, 65.37, 65.40),
        ("iemocap", "all", "focal", 3.0): Scores(66.10, 65.47, 65.42),
        ("iemocap", "all", "cross_entropy", 7.0): Scores(70.12, 69.15, 69.09),
        ("iemocap", "all", "focal", 7.0): Scores(70.76, 70.23, 70.20),
    }
)

# Table 2: IEMOCAP (scripted and improvised).
TABLE_2 = (
    Method("Han (2014)", 12.3, Scores(48.20, 54.30, None)),
    Method("Li (2019)", 9.90, Scores(67.40, None, 67.10)),
    Method("Zhong (2020)", 0.90, Scores(71.72, 70.39, 70.85)),
    Method("LIGHT-SERNET, the paper", 0.88, TABLE_1["iemocap", "all", "focal", 7.0]),
)

# Table 3: IEMOCAP (improvised).
TABLE_3 = (
    Method("Chen (2018)", 323, Scores(64.74, None, None)),
    Method("Yenigalla (2018)", 7.20, Scores(61.60, 71.30, None)),
    Method("Satt (2017)", 5.50, Scores(62.00, 67.30, None)),
    Method("Zhao (2019)", 4.34, Scores(61.90, None, None)),
    Method("LIGHT-SERNET, the paper", 0.88, TABLE_1["iemocap", "improvised", "focal", 7.0]),
)

# Table 4: EMO-DB.
TABLE_4 = (
    Method("Chen (2018)", 323, Scores(82.82, None, None)),
    Method("Zhao (2019)", 4.34, Scores(79.70, None, None)),
    Method("Zhong (2020)", 0.90, Scores(90.10, 91.81, 90.67)),
    Method("LIGHT-SERNET, the paper", 0.88, TABLE_1["emodb", "", "cross_entropy", 3.0]),
)

# Section 3.3, "Impact of parallel paths": what all three gain over each alone, in points, with
# cross-entropy; by corpus and subset. The paper does not say for which length.
PATHS_GAIN = MappingProxyType(
    {("emodb", ""): Scores(1.35, 1.86, 1.57), ("iemocap", "all"): Scores(0.91, 1.38, 1.06)}
)

# Section 3.3, "Impact of input length", by duration in s; and the size in tables 2 to 4.
COST = MappingProxyType({3.0: Cost(322, 1610), 7.0: Cost(760, 3797)})
MEGABYTES = 0.88
