#!/usr/bin/env bash
# Runs one job of the installed package, or the whole line, by spark-submit.
# usage: submit.sh JOB|run ENV [OPTION of the job or of tastemill run …]
#   TASTEMILL_PYTHON      Python with tastemill installed, at this path on every machine (python3)
#   TASTEMILL_PROPERTIES  properties file (the package's conf/spark/ENV.conf)
#   SPARK_HOME            Spark to submit with (that Python's own pyspark)
#   SPARK_OPTIONS         options of spark-submit, split at blanks: --master spark://host:7077
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: submit.sh JOB|run ENV [OPTION of the job …]" >&2
  exit 2
fi
job=$1 env=$2
shift 2
python=$(command -v "${TASTEMILL_PYTHON:-python3}") || {
  echo "submit.sh: no Python ${TASTEMILL_PYTHON:-python3}; set TASTEMILL_PYTHON" >&2
  exit 2
}
# Lines: the job's file, the properties file, Spark's home, settings that bring Delta's JARs.
found=$("$python" -P - "$job" "$env" <<'EOF'
import os, sys
from importlib.resources import files
from tastemill.jars import jar_settings

job, env = sys.argv[1:]
line, jobs = files("tastemill.line"), files("tastemill.jobs")
script = line.joinpath("submit.py") if job == "run" else jobs.joinpath(f"{job}.py")
shipped = files("tastemill.conf").joinpath("spark", f"{env}.conf")
properties = os.environ.get("TASTEMILL_PROPERTIES") or str(shipped)
for file in (str(script), properties):
    os.path.isfile(file) or sys.exit(f"submit.sh: no file {file}")
home = os.environ.get("SPARK_HOME")
if not home:
    import pyspark
    home = os.path.dirname(pyspark.__file__)
print(script, properties, home, *[f"--conf={k}={v}" for k, v in jar_settings().items()], sep="\n")
EOF
)
mapfile -t found <<<"$found"
read -ra options <<<"${SPARK_OPTIONS:-}"
export SPARK_HOME=${found[2]} PYSPARK_PYTHON=$python PYSPARK_DRIVER_PYTHON=$python
exec "$SPARK_HOME/bin/spark-submit" --properties-file "${found[1]}" "${found[@]:3}" \
  "${options[@]}" "${found[0]}" --env "$env" "$@"
