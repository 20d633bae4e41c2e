"""`saga conformance`: whether a participant, in whatever language, keeps its duties."""
