"""`newsletter completion`: print the script with which a shell completes commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

HOW = {
    "bash": 'eval "$(newsletter completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(newsletter completion zsh)"     # in ~/.zshrc, after compinit',
    "fish": "newsletter completion fish > ~/.config/fish/completions/newsletter.fish",
}


@click.command(epilog='Example: eval "$(newsletter completion bash)"')
@click.argument("shell", type=click.Choice(tuple(HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what your shell needs to complete commands, options, lists and campaigns.

    \b
    In ~/.bashrc:  eval "$(newsletter completion bash)"
    In ~/.zshrc:   eval "$(newsletter completion zsh)"
    For fish:      newsletter completion fish > ~/.config/fish/completions/newsletter.fish"""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "newsletter", "_NEWSLETTER_COMPLETE").source())
