"""The command `usage-pipeline ui`: the dashboard over the published tables, on this machine unless told otherwise.

Here: options, what is refused, and Streamlit's own command line. Not here: the app (`ui/`).
"""

import importlib.util
import ipaddress
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usage_pipeline.cli_console import ConfigOption, run_until_stopped, say, settings_or_stop, stop, warn
from usage_pipeline.config import CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, ReportSettings

if TYPE_CHECKING:
    from usage_pipeline.ui.options import Options

SECRETS_FILE = Path(".streamlit") / "secrets.toml"
"""Where Streamlit looks for an OpenID Connect provider, in the working directory and in the home folder."""


def ui_command(
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Published DuckDB file [default: that of the configuration]."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    login: Annotated[
        str | None,
        typer.Option(help="none, password or oidc [default: password where its hash is set, else none]."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="With oidc: an address, or @ and a domain, that may look; may be given again."),
    ] = None,
    hash_password: Annotated[
        bool, typer.Option("--hash-password", help="Ask for a password, print the variable to set, and end.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Open the dashboard over the published tables. It reads only what is published, and changes none of it."""
    if importlib.util.find_spec("streamlit") is None:
        stop("The dashboard needs Streamlit, which the extra `ui` brings: pip install 'usage-pipeline[ui]'")
    if hash_password:
        _print_hash()
        return
    options = _options_or_stop(file, login, allow or [], config)
    _stop_unless_guarded(host, login, options)
    shown = f"[{host}]" if ":" in host else host
    say(f"Dashboard at http://{shown}:{port}; stop with Ctrl-C.")
    say(f"{'from':12} {options.file}")
    raise typer.Exit(run_until_stopped(streamlit_command(options, host, port)))


def _print_hash() -> None:
    from usage_pipeline.ui.options import PASSWORD_VARIABLE
    from usage_pipeline.ui.passwords import hash_password

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    typer.echo(f"export {PASSWORD_VARIABLE}='{hash_password(password)}'")


def _options_or_stop(file: Path | None, login: str | None, allowed: list[str], config: Path | None) -> "Options":
    from usage_pipeline.ui.options import LOGINS, PASSWORD_VARIABLE, Options

    if login is None:
        login = "password" if os.environ.get(PASSWORD_VARIABLE) else "none"
    if login not in LOGINS:
        stop(f"--login is {login}; allowed: {', '.join(LOGINS)}.")
    if allowed and login != "oidc":
        stop("--allow names people whom an OpenID Connect provider signs in; give it with --login oidc.")
    if wrong := [entry for entry in allowed if "@" not in entry]:
        stop(f"--allow is {wrong[0]}; allowed: an address such as ann@corp.example, or a domain such as @corp.example.")
    settings = settings_or_stop(config) if file is None or config or os.environ.get(CONFIG_VARIABLE) else None
    published = (file or settings_or_stop(config).published_file).resolve()
    if not published.is_file():
        stop(
            f"There is nothing to show: {published} does not exist. Run `usage-pipeline run` first, or "
            "`usage-pipeline demo` for made-up data."
        )
    _stop_unless_login_works(login)
    warning = (settings.report if settings else ReportSettings()).utilization_warning
    named = Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG_FILE).resolve()
    return Options(published, named if settings else None, login, tuple(allowed), warning)


def _stop_unless_login_works(login: str) -> None:
    from usage_pipeline.ui.options import PASSWORD_VARIABLE
    from usage_pipeline.ui.passwords import PasswordHashError, check_hash

    if login == "password":
        kept = os.environ.get(PASSWORD_VARIABLE)
        if not kept:
            stop(f"--login password needs {PASSWORD_VARIABLE}; make it with `usage-pipeline ui --hash-password`.")
        try:
            check_hash(kept)
        except PasswordHashError as error:
            # Its value is not shown: somebody may have put the password itself there.
            stop(f"environment variable {PASSWORD_VARIABLE}: {error}")
    if login == "oidc" and not any((folder / SECRETS_FILE).is_file() for folder in (Path.cwd(), Path.home())):
        stop(f"--login oidc needs {SECRETS_FILE} with an [auth] section; see docs/dashboard.md.")


def _stop_unless_guarded(host: str, login: str | None, options: "Options") -> None:
    """Refuse to show costs and names to a whole network unless that was asked for in so many words."""
    if is_loopback(host) or options.login != "none":
        return
    if login is None:
        stop(
            f"--host {host} lets other machines look, and no login is set; give --login password or --login oidc, or "
            "--login none where something in front of it asks who they are."
        )
    warn(f"Everyone who reaches {host} can look: there is no login.", style="yellow")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def streamlit_command(options: "Options", host: str, port: int) -> list[str]:
    """Streamlit's command line: nothing is sent to its makers, and no page shows the inside of an error."""
    from usage_pipeline.ui.options import as_arguments

    settings = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": host,
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "warning",
    }
    app = Path(__file__).resolve().parent / "ui" / "start" / "dashboard.py"
    flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(app), *flags, "--", *as_arguments(options)]
