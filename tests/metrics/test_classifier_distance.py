"""The kernel distance in a classifier's features, against timm's own network and the kernel's formula by hand."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from chromagan.errors import MetricUnavailable
from chromagan.metrics.classifier_distance import open_distances
from chromagan.metrics.metric import Resources
from chromagan.models.trunk import import_timm

timm = import_timm()
SMALL = "test_byobnet"  # timm's own network for tests: half a million parameters
BOTH = ("classifier_distance", "classifier_distance_disjoint")


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = timm.create_model(SMALL, pretrained=False).eval()
    path = tmp_path_factory.mktemp("networks") / f"{SMALL}.safetensors"
    save_file({key: value.contiguous() for key, value in made.state_dict().items()}, path)
    return made, path


def pictures(count, seed):
    return [np.random.default_rng((seed, i)).integers(0, 256, (256, 256, 3), dtype=np.uint8) for i in range(count)]


def opened(path, count=7, names=BOTH):
    images = [f"{i}.png" for i in range(count)]
    return open_distances(names, Resources(images=images, classifier=SMALL, classifier_weights=path, cache=None))


def seen_by_the_last_layer(net, shown):
    """What timm's own network hands to its last layer."""
    record, found = timm.get_pretrained_cfg(SMALL), []
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (record.mean, record.std))
    last = net.get_classifier()
    handle = last.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    stack = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2)[..., 16:240, 16:240]
    with torch.no_grad():
        net((stack / 255 - mean) / std)
    handle.remove()
    return found[0].double().numpy()


def by_hand(x, y):
    """Binkowski et al. 2018, equation 4, with loops."""
    n, m, d = len(x), len(y), x.shape[1]
    within_x = sum((x[i] @ x[j] / d + 1) ** 3 for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum((y[i] @ y[j] / d + 1) ** 3 for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum((a @ b / d + 1) ** 3 for a in x for b in y) / (n * m)


def test_it_is_the_kernel_distance_of_what_the_last_layer_reads(net):
    network, path = net
    truths, made = pictures(7, 0), [picture // 2 for picture in pictures(7, 1)]
    metric = opened(path)
    for i in range(7):
        metric.update(i, "made", made[i], truths[i])
        metric.update(i, "truth", truths[i], truths[i])
    metric.flush()
    found, own = metric.compute("made"), metric.compute("truth")
    features, true = seen_by_the_last_layer(network, made), seen_by_the_last_layer(network, truths)
    assert found["classifier_distance"].value == pytest.approx(by_hand(features, true), rel=1e-3)
    assert found["classifier_distance"].value > own["classifier_distance_disjoint"].value
    assert metric.settings["classifier"] == SMALL
    # The halves' distance is one of the 35 ways to take four of seven.
    from itertools import combinations

    ways = [by_hand(true[list(half)], np.delete(true, half, 0)) for half in combinations(range(7), 4)]
    assert min(abs(way - own["classifier_distance_disjoint"].value) for way in ways) < 1e-6 + 1e-3 * max(map(abs, ways))


def test_where_it_cannot_be_had(net):
    with pytest.raises(MetricUnavailable, match="two images are the least"):
        opened(net[1], count=1)
    with pytest.raises(MetricUnavailable, match="classifier_distance is left out"):
        open_distances(BOTH, Resources(images=["a", "b"], classifier=SMALL, download=False))
