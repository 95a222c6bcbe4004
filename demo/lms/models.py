"""Courses, enrolments, the questions of a course's exams, and what candidates answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Course(models.Model):
    objects: models.Manager[Course]

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.title


class Enrollment(models.Model):
    objects: models.Manager[Enrollment]

    class Role(models.TextChoices):
        CANDIDATE = "candidate"
        STAFF = "staff"

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="enrollments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrollments")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.CANDIDATE)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("course", "user"), name="lms_enrolled_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.course}: {self.role}"


class Question(models.Model):
    objects: models.Manager[Question]

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="questions")
    content_id = models.SlugField()
    """Which exam it belongs to. The same word names the content to proctoring."""
    position = models.PositiveSmallIntegerField()
    text = models.TextField()
    choices = models.JSONField(default=list, blank=True)
    """Empty: the answer is a short text."""

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("course", "content_id", "position"), name="lms_question_position"),
        )

    def __str__(self) -> str:
        return self.text


class Answer(models.Model):
    objects: models.Manager[Answer]

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="answers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="answers")
    sitting = models.PositiveBigIntegerField()
    """The attempt with which this sitting began; a resumed attempt goes on with its answers. 0: without an attempt."""
    text = models.TextField()
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("question", "user", "sitting"), name="lms_answer_once"),)

    def __str__(self) -> str:
        return self.text
