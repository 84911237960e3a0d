"""Settings of register_models."""

from pydantic import Field

from tastemill.config import Section


class RegistryConfig(Section):
    """Champion, candidates, and MLflow."""

    enabled: bool = Field(False, description="Whether a run names the champion of its models.")
    mlflow: bool = Field(True, description="Whether MLflow is told of the models, then.")
    tracking_uri: str = Field(
        "", description="MLflow's store; empty: a SQLite file beside the weights, or Databricks'."
    )
    experiment: str = Field("", description="Empty: tastemill-<dataset>, on Databricks in /Shared.")
    name: str = Field(
        "", description="Of the registered model; empty: tastemill-<dataset>, or that of a schema."
    )
