#!/bin/sh
# The tables of docs/results.md that public photographs suffice for:   sh examples/results.sh KODAK OUT
# KODAK is a folder of colour photographs, such as kodim01.png to kodim24.png of the Kodak suite; OUT is made.
set -eu
kodak=$1
out=$2
mkdir -p "$out"

# Colours: PSNR and colourfulness; table.md has the rows gray, mean ab and truth beside them, report.html explains each.
chromagan evaluate --model chromagan --data "$kodak" --out "$out/colours" > "$out/colours.txt"

# Chroma at edges.
chromagan train-upsampler --measure "$kodak" --weights weights/chroma_upsampler.safetensors > "$out/edges.txt"

# How long the metrics take, against scikit-image's.
chromagan benchmark metrics --data "$kodak" --out "$out/metrics.json" > "$out/metrics.txt"

cat "$out/colours.txt" "$out/colours/table.md" "$out/edges.txt" "$out/metrics.txt"
