"""The pages: what officers, custodians and leaders look at and touch; they decide nothing."""
