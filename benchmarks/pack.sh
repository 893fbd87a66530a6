#!/usr/bin/env bash
# Collects what benchmarks/qwen_fast.py needs on a machine with a GPU that cannot fetch anything, and prints the command
# to run there: `benchmarks/pack.sh [FOLDER]`. It fetches wheels only (19 MB), into wheels/ unless a folder is given.
#
# There must be Python 3.12, torch 2.9 or later with CUDA, and what usually lies beside it: numpy, scipy, scikit-learn,
# numba, safetensors, accelerate, requests, regex, tqdm, PyYAML; for the tests pytest and hypothesis. Newer versions of
# transformers, tokenizers and huggingface-hub may be there: those of this list come before them.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-wheels}

wheels=(
  qwen-tts==0.1.1
  transformers==4.57.3
  tokenizers==0.22.2
  huggingface-hub==0.36.2
  librosa==0.11.0
  audioread
  decorator
  platformdirs
  pooch
  soundfile==0.13.1
  soxr
  cffi
  pycparser
  psutil
  pytest-timeout
)
platforms=()
for platform in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1 manylinux_2_24; do
  platforms+=(--platform "${platform}_x86_64")
done
mkdir -p "$folder"
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "${platforms[@]}" \
  -d "$folder" "${wheels[@]}"

du -sh "$folder"
cat <<END
Take the repository there, with $folder in it, and run in it:

  python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target build/pack $folder/*.whl &&
  PYTHONPATH=build/pack python3 benchmarks/qwen_fast.py --size 1.7b --budget 560 --out "\${OUT:-.}/qwen_fast-1.7b.md"

and the same with --size 0.6b. A run that is cut keeps what it has in the file.
END
