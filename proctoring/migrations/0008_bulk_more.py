from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("proctoring", "0007_seals")]

    operations = [
        migrations.AddField(
            model_name="bulkaction",
            name="more",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="more after"),
        ),
    ]
