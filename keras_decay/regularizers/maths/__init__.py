"""The mathematics of penalties: functions of tensors, with strengths as arguments."""
