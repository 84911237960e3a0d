# Databricks notebook source
# MAGIC %md
# MAGIC # Tastemill: from a log to lists
# MAGIC
# MAGIC People buy, watch, rate and click, and a log remembers it. This notebook turns such a log
# MAGIC into a list of recommendations for every person in it, says honestly how good the lists
# MAGIC are, and leaves it all in Delta tables.
# MAGIC
# MAGIC With the settings as they stand it uses a year of grocery purchases of 2,377 households
# MAGIC that comes with the package: nothing to download, nothing to prepare. Press **Run all** and
# MAGIC read on; it takes some minutes.

# COMMAND ----------

# MAGIC %md
# MAGIC ## 1. Install
# MAGIC
# MAGIC The wheel brings no Spark of its own, so it goes well with the cluster's. Build it with
# MAGIC `python -m build --wheel`, put it into a volume, and name that place here. The cluster
# MAGIC needs the dedicated access mode and Databricks Runtime 17.3 LTS (Spark 4.0).

# COMMAND ----------

# MAGIC %pip install --quiet /Volumes/main/tastemill/files/tastemill-0.1.0-py3-none-any.whl

# COMMAND ----------

# Python starts anew, so that it finds the versions just installed.
dbutils.library.restartPython()

# COMMAND ----------

# MAGIC %md
# MAGIC ## 2. Say what you want
# MAGIC
# MAGIC Fields appear at the top of the page:
# MAGIC
# MAGIC - **dataset**: one of those that Tastemill knows how to read; all but `completejourney`
# MAGIC   need a folder of files, **data**;
# MAGIC - **warehouse**: where the tables go, `catalog.schema`; **artifacts**: a folder in a volume
# MAGIC   for reports and weights;
# MAGIC - **env**: `databricks` here, `local` on a machine of your own;
# MAGIC - **user**: whose list you want to see; empty: the first of a few;
# MAGIC - **settings**: anything else, such as `als.rank=64 deep.enabled=false`.

# COMMAND ----------

from tastemill.config.load import known_datasets

dbutils.widgets.dropdown("dataset", "completejourney", known_datasets())
dbutils.widgets.text("data", "")
dbutils.widgets.text("warehouse", "main.tastemill")
dbutils.widgets.text("artifacts", "/Volumes/main/tastemill/files")
dbutils.widgets.dropdown("env", "databricks", ["databricks", "local"])
dbutils.widgets.text("user", "")
# A network needs packages that the line above doesn't install: deploy/databricks/ has them.
dbutils.widgets.text("settings", "deep.enabled=false")

# COMMAND ----------

from tastemill.config.layers import place_settings
from tastemill.config.load import Request

asked = dbutils.widgets.get
places = place_settings(asked("data"), asked("warehouse"), asked("artifacts"))
request = Request(
    dataset=asked("dataset"),
    env=asked("env"),
    settings=(*places, *asked("settings").split()),
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## 3. Run the line
# MAGIC
# MAGIC One line appears for each stage that is over. The line passes twice. The **backtest** sees
# MAGIC only what happened before a certain day, and its lists are judged by what people really
# MAGIC took after it. **Production** then fits the chosen model again on everything, and publishes
# MAGIC a list for everybody.
# MAGIC
# MAGIC Run this cell a second time: every stage is skipped, because nothing that it depends on has
# MAGIC changed. Add `als.rank=64` to the settings and run from there: only the stages that
# MAGIC depend on it work again.

# COMMAND ----------

from tastemill.line.show import report_of, run_line

run = run_line(request)

# COMMAND ----------

# MAGIC %md
# MAGIC ## 4. How good are the lists?
# MAGIC
# MAGIC A row per model, the best first. `hit@10` is the share of people who later took at least
# MAGIC one of the ten things they were shown; `ndcg@10` also counts how far up it stood. Look at
# MAGIC `popularity` first: showing everybody the same best-sellers costs nothing, and a model that
# MAGIC can't beat it is not worth its electricity.

# COMMAND ----------

import pandas as pd

from tastemill import views

k = run.cfg.evaluation.ks[0]
display(pd.DataFrame(views.metrics(run.warehouse, run.models["backtest"], "all", k)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## 5. What would people see?
# MAGIC
# MAGIC The first five things on the lists of three people, with the model that chose them and its
# MAGIC reason.

# COMMAND ----------

few = views.example_lists(run.warehouse, num_users=3, length=5)
display(pd.DataFrame(few))

# COMMAND ----------

# MAGIC %md
# MAGIC And the whole list of one of them, or of the person named in the field **user**:

# COMMAND ----------

user = asked("user") or few[0]["user_id"]
display(pd.DataFrame(views.list_of(run.warehouse, user, run.cfg.recommend.top_k)))

# COMMAND ----------

# MAGIC %md
# MAGIC ## 6. It is a table
# MAGIC
# MAGIC A list is a row of the Delta table `recommendations`: join it, serve it, ask it with SQL.
# MAGIC It changes only for people whose list has changed, in one commit.

# COMMAND ----------

from tastemill import tables

display(run.warehouse.read(tables.RECOMMENDATIONS).orderBy("user_id").limit(5))

# COMMAND ----------

# MAGIC %md
# MAGIC ## 7. The report
# MAGIC
# MAGIC Everything above and much more on one page that needs nothing but itself: intervals, paired
# MAGIC tests against popularity, the shape of the data, which rows were put aside and why. It lies
# MAGIC in the artifacts folder as `report.html`; send it to somebody.

# COMMAND ----------

displayHTML(report_of(run).read_text(encoding="utf-8"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where to go from here
# MAGIC
# MAGIC - Your own files: a mapping of some ten lines makes a data set of them (`README.md`, "Your
# MAGIC   own data").
# MAGIC - Every night: `deploy/databricks/` has a job that runs the line and tidies its tables.
# MAGIC - Every setting: `conf/README.md`. Every table and metric: `lib/README.md`.

# COMMAND ----------

# A job that calls this notebook gets the run's id.
dbutils.notebook.exit(run.run_id)
