"""Face geometry: landmarks, crops and alignment transforms."""
