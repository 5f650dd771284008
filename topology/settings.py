"""The settings of every process, read once in its ``__main__`` and passed down from there."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SOV_"
#: Five of the largest files, and as much disk as a database server always ought to have free.
MOST_STAGED: Final = 20 * 1024**3


class Settings(BaseSettings):
    """One frozen value per process; each field is the environment variable ``SOV_<FIELD>``.

    Raises ``pydantic.ValidationError`` when a value is malformed; the process says so and ends.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: SecretStr | None = Field(None, description="PostgreSQL, as the books' owner")
    database_url_writer: SecretStr | None = Field(
        None, description="PostgreSQL for consumers and relay (role sov_writer)"
    )
    database_url_reader: SecretStr | None = Field(
        None, description="PostgreSQL for gateways (role sov_reader)"
    )
    database_url_uploader: SecretStr | None = Field(
        None, description="PostgreSQL for bulk files, gateways and bulk (role sov_uploader)"
    )
    database_url_banker: SecretStr | None = Field(
        None, description="PostgreSQL for the bank side, gateways and bank (role sov_banker)"
    )
    amqp_url: SecretStr | None = Field(None, description="RabbitMQ, as its administrator")
    amqp_url_gateway: SecretStr | None = Field(None, description="RabbitMQ for gateways")
    amqp_url_consumer: SecretStr | None = Field(None, description="RabbitMQ for consumers, relay")

    # Read by `migrate` alone, which makes these users; nobody who runs as one of them needs it.
    writer_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the role sov_writer, made with it"
    )
    reader_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the role sov_reader, made with it"
    )
    uploader_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the role sov_uploader, made with it"
    )
    banker_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the role sov_banker, made with it"
    )
    amqp_management_url: SecretStr | None = Field(
        None, description="for `migrate`: RabbitMQ's management API, as its administrator"
    )
    amqp_gateway_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the broker's user sov_gateway, made with it"
    )
    amqp_consumer_password: SecretStr | None = Field(
        None, description="for `migrate`: password of the broker's user sov_consumer, made with it"
    )

    bind: str = Field("127.0.0.1", description="address the gateway listens on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="its port")
    tls_cert: Path | None = Field(None, description="certificate chain (PEM)")
    tls_key: Path | None = Field(None, description="its private key (PEM)")
    behind_proxy: bool = Field(False, description="allow plain HTTP on a non-loopback address")
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="port for /metrics, /healthz and /readyz without a key"
    )

    gateways: Annotated[int, Field(ge=1)] = Field(
        1, description="how many gateways share the calls: each allows its part of a key's rate"
    )
    consumer_slot: Annotated[int, Field(ge=0)] = Field(
        0, description="which consumer this is, from 0: decides its assigned partitions"
    )
    consumer_slots: Annotated[int, Field(ge=1)] = Field(
        1, description="how many consumers share the partitions"
    )
    partitions: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="number of partitions, used once: when the first layout is made"
    )

    bulk_max_bytes: Annotated[int, Field(ge=1)] = Field(
        4 * 1024**3, description="largest bulk file, as sent and unpacked, in bytes"
    )

    bulk_max_total_bytes: Annotated[int, Field(ge=1)] = Field(
        MOST_STAGED,
        description="what all bulk files together may take while they arrive, as sent, in bytes",
    )

    bank_api_url: str = Field(
        "", description="the bank's API; empty: none, statements come as files"
    )
    bank_client_id: SecretStr | None = Field(None, description="client id at the bank")
    bank_client_secret: SecretStr | None = Field(None, description="its secret")
    bank_api_key: SecretStr | None = Field(None, description="the bank's x-api-key")
    bank_accounts: str = Field(
        "",
        description="bank accounts to follow: ID or ID=NUMBER,...; empty: all that the API shows",
    )
    bank_followed_from: date | None = Field(
        None, description="first day that is followed; empty: the day an account is first seen"
    )
    bank_poll_s: Annotated[float, Field(ge=1)] = Field(
        1800, description="seconds between two looks at the bank's statements"
    )
    bank_overlap_days: Annotated[int, Field(ge=1, le=180)] = Field(
        7, description="how many days that were fetched before are fetched again"
    )
    bank_currency: str = Field(
        "ZAR", description="of accounts whose statements come as files, without the bank's API"
    )
    bank_payout_approvals: str = Field(
        "0:1,100000:2",
        description="from which amount on how many people approve a payout: AMOUNT:PEOPLE,...",
    )
    bank_authorisation_days: Annotated[float, Field(gt=0, le=60)] = Field(
        7, description="days that the bank's own authorisers have; then a payout is UNKNOWN"
    )
    bank_days_ahead: Annotated[int, Field(ge=0, le=3660)] = Field(
        0, description="how many days beyond today are asked for too: a simulator has its own clock"
    )

    reconcile_daily_at: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")] = (
        Field(
            "06:00",
            description="when the bank's last day is reconciled, by the bank's clock; empty: never",
        )
    )

    bank_simulator: bool | None = Field(
        None,
        description="whether `up` runs a simulated bank where no other is named; empty: beside a"
        " database of its own",
    )
    # Read by the simulated bank alone, which takes the credentials above from whoever asks it.
    bank_simulator_books: Path | None = Field(None, description="file of the simulated bank")
    bank_simulator_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="its port on this machine; 0: any"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )
    log_format: Literal["json", "console"] = Field("json", description="log lines on stdout")

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("SOV_TLS_CERT and SOV_TLS_KEY belong together: set both or neither")
        if self.consumer_slot >= self.consumer_slots:
            raise ValueError("SOV_CONSUMER_SLOT must be smaller than SOV_CONSUMER_SLOTS")
        if self.bulk_max_total_bytes < self.bulk_max_bytes:
            raise ValueError("SOV_BULK_MAX_TOTAL_BYTES is smaller than SOV_BULK_MAX_BYTES")
        return self

    @property
    def owner_dsn(self) -> str:
        return _required(self.database_url, "database_url")

    @property
    def writer_dsn(self) -> str:
        return _required(self.database_url_writer or self.database_url, "database_url")

    @property
    def reader_dsn(self) -> str:
        return _required(self.database_url_reader or self.database_url, "database_url")

    @property
    def takes_files(self) -> bool:
        """Whether there is a place for bulk files."""
        return (self.database_url_uploader or self.database_url) is not None

    @property
    def uploader_dsn(self) -> str:
        return _required(self.database_url_uploader or self.database_url, "database_url_uploader")

    @property
    def keeps_bank(self) -> bool:
        """Whether there is a place for what the bank says."""
        return (self.database_url_banker or self.database_url) is not None

    @property
    def banker_dsn(self) -> str:
        return _required(self.database_url_banker or self.database_url, "database_url_banker")

    @property
    def admin_amqp_url(self) -> str:
        return _required(self.amqp_url, "amqp_url")

    @property
    def gateway_amqp_url(self) -> str:
        return _required(self.amqp_url_gateway or self.amqp_url, "amqp_url")

    @property
    def consumer_amqp_url(self) -> str:
        return _required(self.amqp_url_consumer or self.amqp_url, "amqp_url")


class SettingMissing(Exception):
    """A process was started without a setting it cannot do without."""


def _required(value: SecretStr | None, field: str) -> str:
    if value is None:
        raise SettingMissing(f"{PREFIX}{field.upper()} is not set")
    return value.get_secret_value()
