"""From runs to what others read: checkpoints with their cards, tables and figures."""
