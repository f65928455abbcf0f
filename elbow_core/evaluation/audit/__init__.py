"""The audit of published metrics against their test set: `python -m elbow_core.evaluation.audit`.

`tables` reads the published metrics and the class counts, and `search` finds the confusion matrices
that explain them. Nothing is offered to other code: the wing is a command.
"""
