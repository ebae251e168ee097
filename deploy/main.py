"""What a Flex Template starts: the main job, by its module name, so that its folder is not first on the import path."""

import runpy

if __name__ == "__main__":
    runpy.run_module("pipelines.profiles", run_name="__main__", alter_sys=True)
