"""Where commands write: ``out`` for results, ``err`` for what people are told meanwhile.

Commands that run often use `typer.echo` instead: a tenth of the time that `newsletter status`
takes to start would go into importing Rich's console.
"""

from rich.console import Console

# People read standard error, programs standard output: `--json` keeps the latter clean.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
