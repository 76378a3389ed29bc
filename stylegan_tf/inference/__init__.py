"""What a trained generator can do: pictures, figures, walks, projections, exports."""
