"""What workers tell each other beside their steps, in which they may be stuck: that the run is to end, and that it has ended."""

import contextlib
import threading

from stylegan_tf.training.devices import Devices

_ASKED, _ENDED = "sgan/end-asked", "sgan/end-told"
_WAIT_MS = 600_000  # TensorFlow keeps 35 KB of every question that goes unanswered, so none is asked often


class Notices:
    """Short texts that every worker can read at any time, on TensorFlow's coordination service, which the chief runs.

    Args:
        devices: of a run on several machines.
    """

    def __init__(self, devices: Devices):
        # Not in the public interface, where tf.distribute's own handler of preemption has it from.
        from tensorflow.python.eager import context

        self.is_chief = devices.is_chief
        self._service = context.context()
        self._heard: dict[str, str] = {}
        self._listen(_ASKED, if_gone=None)  # a chief that is gone: the next step meets it
        if not self.is_chief:
            self._listen(_ENDED, if_gone="The first worker has left.")

    def ask_for_end(self, who: str) -> None:
        """Tells all workers who wants the run to end; the first one counts."""
        self._post(_ASKED, who)

    def who_asked(self) -> str | None:
        """Who wants the run to end, None where nobody does."""
        return self._heard.get(_ASKED)

    def tell_end(self, message: str) -> None:
        """The chief's last words to the others."""
        self._post(_ENDED, message)

    def end(self) -> str | None:
        """The chief's last words, None where it goes on."""
        return self._heard.get(_ENDED)

    def _post(self, key: str, text: str) -> None:
        import tensorflow as tf

        with contextlib.suppress(tf.errors.OpError):  # said already, or nobody is left who could read it
            self._service.set_config_key_value(key, text)

    def _listen(self, key: str, if_gone: str | None) -> None:
        threading.Thread(target=self._wait_for, args=(key, if_gone), name=f"listens for {key}", daemon=True).start()

    def _wait_for(self, key, if_gone):
        import tensorflow as tf

        while key not in self._heard:
            try:
                self._heard[key] = self._service.get_config_key_value(key, _WAIT_MS)
            except tf.errors.DeadlineExceededError:
                continue
            except tf.errors.OpError:
                if if_gone is not None:
                    self._heard[key] = if_gone
                return
