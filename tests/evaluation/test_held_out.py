import pickle
import threading

import cv2
import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from chromagan.errors import DataError, MetricUnavailable, ModelError, ReadError, UsageError, WeightsError
from chromagan.evaluation import held_out
from chromagan.evaluation.held_out import HeldOut, deal_batches, load_held_out, reduce_and_crop
from chromagan.metrics import distances
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.frechet import frechet_distance_of_features
from chromagan.metrics.kernel_distance import kernel_distance
from chromagan.metrics.lpips import _alex
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

SIZES = [(48, 48)] * 4 + [(48, 80)] * 3 + [(60, 48), (33, 40), (100, 150)]


class Constant(ColorizationNetwork):
    """The same two numbers everywhere, at half size."""

    ab_stride = 2

    def __init__(self, a=5.0, b=-4.0):
        super().__init__()
        self.ab = (a, b)

    def predict(self, L, hints):
        ab = torch.tensor(self.ab).view(1, 2, 1, 1).expand(len(L), 2, -(-L.shape[2] // 2), -(-L.shape[3] // 2))
        return Prediction(ab)


class Convolution(ColorizationNetwork):
    ab_stride = 4
    stride = 4

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 2, 5, 2, 2))

    def predict(self, L, hints):
        return Prediction(self.net(L))


class Pooled(nn.Module):
    """In place of Inception: few features, of uint8 pictures."""

    def __init__(self, name, tensors):
        super().__init__()
        self.calls = 0

    def forward(self, pictures):
        self.calls += 1
        assert pictures.dtype == torch.uint8
        return nn.functional.adaptive_avg_pool2d(pictures.float(), 2).flatten(1) / 50


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos" / "deeper").mkdir(parents=True)
    for number, (height, width) in enumerate(SIZES):
        coarse = rng.uniform(70, 180, (5, 6, 3)).astype(np.float32)
        photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        photo = np.clip(photo + rng.normal(0, 3, photo.shape), 40, 215).astype(np.uint8)
        place = "deeper" if number % 2 else "."
        cv2.imwrite(str(tmp_path / "photos" / place / f"{number}.png"), photo)
    return tmp_path / "photos"


@pytest.fixture
def alexnet(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tensors = {f"features.{name}": tensor for name, tensor in _alex()[0].state_dict().items()}
    torch.save(tensors, tmp_path / "alex.pth")
    return {"lpips_alex": tmp_path / "alex.pth"}


@pytest.fixture
def small_inception(monkeypatch):
    monkeypatch.setattr(distances, "InceptionFeatures", Pooled)
    monkeypatch.setattr(distances, "FEATURES", 12)
    monkeypatch.setattr(distances, "network_tensors", lambda *args: {})


def on_ranks(world, make, network):
    """Run `evaluate` on `world` threads that meet as ranks do; what they exchange goes through pickle."""
    barrier, boxes, answers = threading.Barrier(world, timeout=60), [b""] * world, [None] * world

    def work(rank):
        def gather(found):
            boxes[rank] = pickle.dumps(found)
            barrier.wait()
            answers = [pickle.loads(box) for box in boxes]
            barrier.wait()  # nobody fills a box again before all have read
            return answers

        subject = make(rank)
        try:
            first = subject.evaluate(network, rank, world, gather)
            barrier.wait()
            second = subject.evaluate(network, rank, world, gather)
            answers[rank] = first, second, subject
        except Exception as error:
            answers[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_figures_equal_scikit_image(folder):
    names, truths = load_held_out(folder, 48)
    metrics = ("ssim", "psnr", "colourfulness", "delta_colourfulness", "ab_mse", "ab_rmse", "ciede2000")
    found = HeldOut(folder, 48, metrics).evaluate(Constant().eval())
    rows = []
    for truth in truths:
        lab = rgb2lab(truth)
        flat = np.broadcast_to([5.0, -4.0], (*truth.shape[:2], 2))
        ours, gray = (np.rint(lab2rgb(np.dstack((lab[..., :1], ab))) * 255).astype(np.uint8) for ab in (flat, flat * 0))
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        rows.append({
            "psnr": peak_signal_noise_ratio(truth, ours, data_range=255),
            "gray_psnr": peak_signal_noise_ratio(truth, gray, data_range=255),
            "ssim": structural_similarity(ours, truth, channel_axis=2, **options),
            "colourfulness": colourfulness(ours),
            "true_colourfulness": colourfulness(truth),
            "ab_mse": np.mean((rgb2lab(ours) - lab)[..., 1:] ** 2),
            "ciede2000": deltaE_ciede2000(rgb2lab(ours), lab).mean(),
        })  # fmt: skip
    expected = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    expected["ab_rmse"] = np.sqrt(expected["ab_mse"])
    expected["delta_colourfulness"] = abs(expected["colourfulness"] - expected["true_colourfulness"])
    assert list(found)[: len(metrics)] == list(metrics)
    assert found.pop("photos") == len(truths) == len(names) == len(SIZES)
    assert found.pop("left_out") == 0
    assert found == pytest.approx(expected, rel=1e-3)


def order_dependent(ours, true):
    """In place of KID, which depends on the order of the photos where it draws subsets."""
    return float((ours[:, 0] - 2 * true[:, 1]) @ torch.arange(1.0, len(ours) + 1))


def test_any_number_of_ranks_gives_identical_figures(folder, alexnet, small_inception, monkeypatch):
    monkeypatch.setattr("chromagan.evaluation.held_out._BATCH_PIXELS", 2 * 48 * 48)
    monkeypatch.setattr(distances, "polynomial_mmd", order_dependent)
    metrics = ("psnr", "ssim", "colourfulness", "ab_rmse", "ciede2000", "lpips_alex", "fid_tf", "kid_tf")
    network = Convolution().eval()
    alone = HeldOut(folder, 48, metrics, alexnet)
    figures = alone.evaluate(network)
    assert np.isfinite(list(figures.values())).all()
    assert figures["lpips_alex"] > 0
    assert figures["fid_tf"] > 0
    assert list(alone.available) == list(metrics)
    for world in (1, 2, 3):
        answers = on_ranks(world, lambda rank: HeldOut(folder, 48, metrics, alexnet), network)
        for first, second, subject in answers:
            assert first == second == figures
            # the truth's features are made once, by the rank that has the photo
            batches = len(deal_batches([photo.shape[:2] for photo in subject.photos]))
            assert sum(s._opened.collectors[0]._features.calls for _, _, s in answers) == 3 * batches


def test_more_ranks_than_photos(folder):
    make = {"folder": folder, "size": 48, "metrics": ("psnr",), "limit": 2}
    expected = HeldOut(**make).evaluate(Constant().eval())
    assert [answer[0] for answer in on_ranks(4, lambda rank: HeldOut(**make), Constant().eval())] == [expected] * 4


def test_distances_are_over_all_photos_in_their_order(folder, small_inception):
    subject = HeldOut(folder, 48, ("fid_torchvision", "kid_torchvision", "fid_tf"))
    found = subject.evaluate(Constant().eval())
    features = Pooled("", {})
    truths = [torch.from_numpy(t).permute(2, 0, 1)[None] for t in load_held_out(folder, 48)[1]]
    ours = [held_out.paint(Constant(), held_out.rgb_to_lab(t / 255)[:, :1], look=Look(size=48)) for t in truths]
    sets = [torch.cat([features(picture) for picture in pictures]) for pictures in (ours, truths)]
    assert found["fid_torchvision"] == found["fid_tf"] == pytest.approx(frechet_distance_of_features(*sets), rel=1e-6)
    assert found["kid_torchvision"] == pytest.approx(kernel_distance(*sets)[0], rel=1e-6)


def test_a_metric_without_its_network_is_said_and_left_out(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    subject = HeldOut(folder, 48, ("lpips_alex", "psnr", "fid_tf"), networks=tmp_path, download=False)
    assert subject.available == ("psnr",)
    assert set(subject.missing) == {"lpips_alex", "fid_tf"}
    assert "alexnet-owt-7be5be79.pth" in subject.missing["lpips_alex"]
    assert "--metric-networks" in subject.missing["fid_tf"]
    assert list(subject.evaluate(Constant().eval())) == [
        "psnr", "gray_psnr", "true_colourfulness", "photos", "left_out"
    ]  # fmt: skip


def test_a_metric_that_one_rank_lacks_is_left_out_on_all(folder, alexnet, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def make(rank):
        return HeldOut(folder, 48, ("psnr", "lpips_alex"), alexnet if rank != 1 else None, download=False)

    for first, second, subject in on_ranks(3, make, Constant().eval()):
        assert "lpips_alex" not in first
        assert first == second
        assert subject.available == ("psnr",)
        assert "alexnet" in subject.missing["lpips_alex"]


def test_a_damaged_network_is_an_error(folder, tmp_path):
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="sha256"):
        HeldOut(folder, 48, ("lpips_alex",), networks=tmp_path)


def test_gray_photos_are_in_neither_psnr(folder):
    expected = HeldOut(folder, 48).evaluate(Constant().eval())
    cv2.imwrite(str(folder / "gray.png"), np.arange(48 * 48, dtype=np.uint8).reshape(48, 48))
    found = HeldOut(folder, 48).evaluate(Constant().eval())
    assert found["left_out"] == 1
    assert found["photos"] == expected["photos"] + 1
    assert found["psnr"] == pytest.approx(expected["psnr"], abs=1e-6)
    assert found["gray_psnr"] == pytest.approx(expected["gray_psnr"], abs=1e-6)
    assert found["true_colourfulness"] < expected["true_colourfulness"]


def test_colours_that_are_not_finite_end_it_on_every_rank(folder):
    class Broken(Constant):
        def predict(self, L, hints):
            answer = super().predict(L, hints).ab
            return Prediction(answer / 0 * 0 if L.shape[-1] == 80 else answer)

    answers = on_ranks(2, lambda rank: HeldOut(folder, 48), Broken().eval())
    assert [type(answer) for answer in answers] == [ModelError] * 2
    assert "not finite" in str(answers[0])


def test_misuse(folder, tmp_path, monkeypatch):
    subject = HeldOut(folder, 48, ("psnr",), limit=1)
    with pytest.raises(ValueError, match="evaluation mode"):
        subject.evaluate(Constant())
    with pytest.raises(ValueError, match="without gather"):
        subject.evaluate(Constant().eval(), 0, 2)
    with pytest.raises(UsageError, match="'fid'"):
        HeldOut(folder, 48, ("fid",))
    with pytest.raises(UsageError, match="at least 32"):
        HeldOut(folder, 16)
    with pytest.raises(DataError, match="no photographs"):
        HeldOut(tmp_path / "nothing", 48)
    assert "compares sets" in HeldOut(folder, 48, ("fid_tf",), limit=1).missing["fid_tf"]
    assert issubclass(MetricUnavailable, Exception)
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(ReadError, match=r"cut\.jpg"):
        HeldOut(folder, 48)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 100), (64, 64)),
        ((100, 170), (64, 96)),
        ((300, 100), (128, 64)),
        ((50, 70), (50, 50)),
        ((50, 90), (50, 82)),
    ],
)
def test_reduce_and_crop(size, expected):
    rows, columns = np.mgrid[: size[0], : size[1]]
    photo = np.stack((rows * 255 / size[0], columns * 255 / size[1], 0 * rows), axis=2).astype(np.uint8)
    reduced = reduce_and_crop(photo, 64)
    assert reduced.shape == (*expected, 3)
    # cropped around the middle
    assert reduced.reshape(-1, 3).mean(axis=0) == pytest.approx([127.5, 127.5, 0], abs=4)
    if min(size) <= 64:  # not enlarged: the very pixels
        left = (size[1] - expected[1]) // 2
        assert np.array_equal(reduced, photo[:, left : left + expected[1]])


def test_deals_every_photo_once_in_batches_of_one_size():
    shapes = [(256, 256)] * 20 + [(256, 384)] * 5 + [(40, 40)] * 3
    whole = deal_batches(shapes)
    assert sorted(n for batch in whole for n in batch) == list(range(28))
    assert all(len({shapes[n] for n in batch}) == 1 for batch in whole)
    assert sorted(map(len, whole)) == [3, 4, 5, 8, 8]
