#!/bin/sh
# What a first photo costs by onnx_only.py, and by the program:
#     sh examples/onnx_cost.sh PHOTO MODEL PAINTING CHROMA_STEP OUT
# PAINTING is that of MODEL. OUT is made: two environments with what was downloaded for each. pip takes the CPU build of PyTorch where it is told to:
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
set -eu
photo=$(realpath "$1")
model=$2
painting=$(realpath "$3")
step=$(realpath "$4")
out=$5
here=$(dirname "$0")
mkdir -p "$out"

for kind in light whole; do
    packages="onnxruntime numpy pillow"
    [ "$kind" = light ] || packages="$here/.."
    python3 -m venv "$out/$kind"
    "$out/$kind/bin/pip" wheel --quiet --wheel-dir "$out/$kind-files" $packages
    "$out/$kind/bin/pip" install --quiet --no-index --find-links "$out/$kind-files" \
        $([ "$kind" = light ] && echo "$packages" || echo chromagan)
done
cp "$painting" "$step" "$out/light-files"
du -sb "$out/light-files" "$out/whole-files"

# A new process a photo, in turns, so that both meet the same load.
python3 - "$photo" "$model" "$painting" "$step" "$out" "$here" <<'END'
import statistics, subprocess, sys, time

photo, model, painting, step, out, here = sys.argv[1:]
commands = {
    "onnx_only.py": [f"{out}/light/bin/python", f"{here}/onnx_only.py", photo, f"{out}/light.png", painting, step],
    "chromagan sample": [f"{out}/whole/bin/chromagan", "sample", photo, "--model", model,
                         "-o", f"{out}/whole.png", "--overwrite", "--quiet"],
}
seconds = {name: [] for name in commands}
for turn in range(6):
    for name, words in commands.items():
        start = time.perf_counter()
        subprocess.run(words, check=True)
        seconds[name].append(time.perf_counter() - start)
for name, each in seconds.items():
    print(f"{name}: first {each[0]:.2f} s, median of the others {statistics.median(each[1:]):.2f} s")
light, whole = seconds.values()
print(f"ratio: median {statistics.median(a / b for a, b in zip(light[1:], whole[1:])):.2f}")
END
