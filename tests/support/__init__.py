"""What tests of terminals and processes need: a screen, programs, a finder of leaks."""
