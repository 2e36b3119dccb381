"""From a file to face crops: opening pictures, finding faces, cutting them out, and preparing what the network sees."""
