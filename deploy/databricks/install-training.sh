#!/bin/sh
# What networks need, on every machine of a cluster before Spark starts: an init script.
# Petastorm's package asks for pyspark, and pip would lay that Spark over the one of Databricks: so
# it comes alone, and the rest of what it asks for is named here.
set -eu
PIP=${PIP:-/databricks/python/bin/pip}
$PIP install --quiet 'torch>=2.10' 'safetensors>=0.5' 'setuptools<70' \
  dill diskcache fsspec future packaging psutil pyzmq six
$PIP install --quiet --no-deps 'petastorm>=0.13.1,<0.14'
