"""What the project does under load and with damaged input; ``python -m tests.load --help`` lists the commands."""
