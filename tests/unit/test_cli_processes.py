"""Telling living processes from ended ones."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from cli.servers import processes
from tests.polling import until

# Its first thread ends (the raw system call ends one thread, not the process), another lives on.
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print(flush=True)
ctypes.CDLL(None).syscall({exit}, 0)
"""
EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}


async def test_a_process_whose_other_threads_still_end_is_alive() -> None:
    """As a killed RabbitMQ looks for a moment: a zombie by its state, with its port still taken."""
    program = HEADLESS.format(exit=EXIT_OF_A_THREAD[os.uname().machine])
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    await until(lambda: " Z " in Path(f"/proc/{child.pid}/stat").read_text())
    assert processes.identify(child.pid) is not None
    assert not processes.is_zombie(child.pid)
    child.kill()
    await child.wait()
    assert processes.identify(child.pid) is None
