"""What workers tell each other beside their steps, in which they may be stuck: that the run is to end, and that it has ended."""

import contextlib

from stylegan_tf.training.devices import Devices

_ASKED, _ENDED = "sgan/end-asked", "sgan/end-told"
_LOOK_MS = 50  # what a look may take; an answer on a local network takes 1 ms


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

    def ask_for_end(self, who: str) -> None:
        """Tells all workers who wants the run to end; the first one counts."""
        self._post(_ASKED, who)

    def who_asked(self) -> str | None:
        """Who wants the run to end, None where nobody does."""
        return self._read(_ASKED, if_gone=None)  # a chief that is gone: the next step meets it

    def tell_end(self, message: str) -> None:
        """The chief's last words to the others."""
        self._post(_ENDED, message)

    def end(self) -> str | None:
        """The chief's last words, None where it goes on."""
        return self._read(_ENDED, if_gone="The first worker has left.")

    def _post(self, key: str, text: str) -> None:
        import tensorflow as tf

        with contextlib.suppress(tf.errors.OpError):  # said already, or nobody is left who could read it
            self._service.set_config_key_value(key, text)

    def _read(self, key: str, if_gone: str | None) -> str | None:
        import tensorflow as tf

        try:
            return self._service.get_config_key_value(key, _LOOK_MS)
        except tf.errors.DeadlineExceededError:
            return None
        except tf.errors.OpError:
            return if_gone
