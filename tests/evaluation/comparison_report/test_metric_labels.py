"""What metrics are called: no two alike, and a name that nobody knows keeps its words."""

from chromagan.evaluation.comparison_report.metric_labels import label_of
from chromagan.evaluation.metric_names import HELD_OUT_METRICS


def test_labels():
    assert len({label_of(name).title for name in HELD_OUT_METRICS}) == len(HELD_OUT_METRICS)
    assert label_of("fid_tf_disjoint").title == "FID, TF Inception, disjoint"
    assert label_of("my_own").title == "my own"
