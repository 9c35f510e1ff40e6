"""The one error a person sees: a clear sentence and an exit code, never a traceback."""


class UserError(Exception):
    """Names the thing in backticks and the next step. Exit codes: see design §6.

    1 failed, 2 usage, 3 denied, 4 cannot reach a service.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
