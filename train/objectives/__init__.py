"""What is learnt: masks say what is hidden, losses measure, masked and contrastive put them together."""
