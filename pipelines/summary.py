"""placeholder"""


def print_summary(options, result):
    print("done")
